export { RouteCoordinator, TagLedger } from "./objects.js";

declare const worker: { fetch(request: Request): Promise<Response> };
export default worker;
