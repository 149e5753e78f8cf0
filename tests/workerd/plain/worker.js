// The plain app with the Durable Objects in its own Worker.
import { initSync } from "../../../pkg/wasm/objects/objects.js";
import app, { memories } from "./app.js";

export { RouteCoordinator, TagLedger } from "../../../pkg/dist/worker/objects.js";

memories.objects = () => initSync().memory;

export default app;
