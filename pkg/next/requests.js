// Requests to `next start`: each gets a context before Next.js sees it, and its response the headers that tell what was served.
import { subscribe } from "node:diagnostics_channel";
import { RequestContext, enterContext } from "../context.js";
import { headersOf } from "../response-headers.js";

/** What a handler may still do after the response before its leases are given back. */
const IDLE_MS = 1000;
const NO_CTX = { waitUntil() {} };

/**
 * @param {object} parts
 * @param {import("../engine/engine.js").Engine} parts.engine
 * @param {string} parts.previewId what makes a request an on-demand regeneration
 * @param {(context: RequestContext, response: object) => object | undefined} parts.servedTo what a response is made of
 * @param {(context: RequestContext, failed: boolean) => void} parts.ended called when a response was sent whole
 */
export function watchRequests({ engine, previewId, servedTo, ended }) {
  subscribe("http.server.request.start", ({ request, response }) => {
    const context = new RequestContext(request, undefined, NO_CTX);
    const { headers } = request;
    context.prefetch =
      headers.purpose === "prefetch" ||
      headers["next-router-prefetch"] !== undefined ||
      headers["next-router-segment-prefetch"] !== undefined;
    context.onDemand = previewId !== undefined && headers["x-prerender-revalidate"] === previewId;
    amendHead(engine, response, () => servedTo(context, response));
    // A client that went away has not ended the render that others may wait for.
    response.once("finish", () => setTimeout(() => ended(context, response.statusCode >= 500), IDLE_MS).unref());
    enterContext(context);
  });
}

/** Every way to send a head ends in `writeHead`. */
function amendHead(engine, response, whatIsServed) {
  const { writeHead } = response;
  response.writeHead = function (...head) {
    const served = response.headersSent ? undefined : whatIsServed();
    if (served) {
      const status = typeof head[0] === "number" ? head[0] : response.statusCode;
      const given = { status, cacheControl: response.getHeader("cache-control") };
      for (const [name, value] of Object.entries(headersOf(engine, served, given))) response.setHeader(name, value);
    }
    return writeHead.apply(this, head);
  };
}
