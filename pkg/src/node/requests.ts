// Requests to `next start`: each gets a context before Next.js sees it, and its response the headers that tell what was served.
import { subscribe } from "node:diagnostics_channel";
import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from "node:http";
import type { Engine } from "../engine/engine.js";
import { RequestContext, currentContext, enterContext } from "../host/context.js";
import type { Served } from "../host/reading.js";
import { headersOf } from "../host/response-headers.js";

/** What a handler may still do after the response before its leases are given back. */
const IDLE_MS = 1000;
const NO_CTX = { waitUntil() {} };

/** Who is told of requests. */
export interface RequestsParts {
  readonly engine: Engine;
  /** What makes a request an on-demand regeneration. */
  readonly previewId: string | undefined;
  /** What a response is made of. */
  readonly servedTo: (context: RequestContext, response: ServerResponse) => Served | undefined;
  /** Called when a response was sent whole. */
  readonly sent: (context: RequestContext, failed: boolean) => void;
  /** Called a while later. */
  readonly ended: (context: RequestContext, failed: boolean) => void;
}

export class Requests {
  readonly #engine: Engine;
  readonly #previewId: string | undefined;
  readonly #servedTo: RequestsParts["servedTo"];
  readonly #sent: RequestsParts["sent"];
  readonly #ended: RequestsParts["ended"];
  /** Contexts of requests that were under way before this was made: nothing leads to them but that there is one only. */
  readonly #early = new Set<RequestContext>();

  constructor({ engine, previewId, servedTo, sent, ended }: RequestsParts) {
    this.#engine = engine;
    this.#previewId = previewId;
    this.#servedTo = servedTo;
    this.#sent = sent;
    this.#ended = ended;
  }

  watch(): void {
    subscribe("http.server.request.start", (message) => {
      const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
      enterContext(this.#follow(request, response));
    });
    for (const response of underWay()) {
      const context = this.#follow(response.req, response);
      this.#early.add(context);
      response.once("close", () => this.#early.delete(context));
    }
  }

  /**
   * The context of the request that Next.js made a handler for. For `res.revalidate` it makes a request up that no server has
   * seen, in the middle of another.
   *
   * @param headers that request's
   */
  contextFor(headers: IncomingHttpHeaders): RequestContext {
    const onDemand = this.#isOnDemand(headers);
    const context = this.current();
    if (context?.onDemand === onDemand) return context;
    const madeUp = new RequestContext(undefined, undefined, NO_CTX);
    madeUp.onDemand = onDemand;
    return madeUp;
  }

  /** The context of the request in progress, if that is known. */
  current(): RequestContext | undefined {
    return currentContext() ?? (this.#early.size === 1 ? [...this.#early][0] : undefined);
  }

  #follow(request: IncomingMessage, response: ServerResponse): RequestContext {
    const context = new RequestContext(request, undefined, NO_CTX);
    const { headers } = request;
    context.prefetch =
      headers.purpose === "prefetch" ||
      headers["next-router-prefetch"] !== undefined ||
      headers["next-router-segment-prefetch"] !== undefined;
    context.onDemand = this.#isOnDemand(headers);
    this.#amendHead(context, response);
    // A client that went away has not ended the render that others may wait for.
    response.once("finish", () => {
      const failed = response.statusCode >= 500;
      this.#sent(context, failed);
      setTimeout(() => this.#ended(context, failed), IDLE_MS).unref();
    });
    return context;
  }

  #isOnDemand(headers: IncomingHttpHeaders): boolean {
    return this.#previewId !== undefined && headers["x-prerender-revalidate"] === this.#previewId;
  }

  /** Every way to send a head ends in `writeHead`. Whatever goes wrong here, the response is sent as the app made it. */
  #amendHead(context: RequestContext, response: ServerResponse): void {
    const writeHead = response.writeHead.bind(response) as (...head: unknown[]) => ServerResponse;
    const engine = this.#engine;
    const whatIsServed = () => this.#servedTo(context, response);
    response.writeHead = (...head: unknown[]): ServerResponse => {
      try {
        const served = response.headersSent ? undefined : whatIsServed();
        const status = typeof head[0] === "number" ? head[0] : response.statusCode;
        const told = served ? headersOf(engine, served, { status, cacheControl: toldOf(response) }) : {};
        for (const [name, value] of Object.entries(told)) response.setHeader(name, value);
      } catch {
        // An engine that breaks twice in a row has no header to tell.
      }
      return writeHead(...head);
    };
  }
}

function toldOf(response: ServerResponse): string | undefined {
  const told = response.getHeader("cache-control");
  return told === undefined ? undefined : String(told);
}

/**
 * Responses that nothing was sent of yet. Next.js loads its handler while the first request waits; of requests that began before
 * Node tells nothing but the sockets that are in use. Where it does not, their responses go without `Cache-Status`.
 */
function underWay(): ServerResponse[] {
  const { _getActiveHandles: handles } = process as { _getActiveHandles?: () => { _httpMessage?: unknown }[] };
  const responses = (handles?.call(process) ?? []).map((handle) => handle._httpMessage);
  return responses.filter(
    (response): response is ServerResponse => response instanceof ServerResponse && Boolean(response.req) && !response.headersSent,
  );
}
