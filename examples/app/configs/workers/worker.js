import handler from "./.open-next/worker.js";
import { wrapWorker } from "onegen/opennext";

export { RouteCoordinator, TagLedger } from "onegen/objects";

export default wrapWorker(handler);
