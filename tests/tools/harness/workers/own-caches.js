/** Gives an isolate a Cache API of its own, as one in a region of its own has: miniflare's is shared by all services. */

let isOwn = false;

/** @param {{ fetch: Function }} handler */
export function withOwnCaches(handler) {
  return {
    ...handler,
    fetch(request, env, ctx) {
      if (!isOwn) {
        const open = caches.open.bind(caches);
        caches.open = (name) => open(`${env.HARNESS_LOCATION} ${name}`);
        isOwn = true;
      }
      return handler.fetch(request, env, ctx);
    },
  };
}
