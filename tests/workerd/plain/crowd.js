// Visitors from inside the runtime: six thousand connections at once would measure the machine's sockets instead of the cache.

/** `each` requests at once for `path` through the Worker's binding to itself, each with a request context of its own. */
export async function crowd({ url }, env) {
  const { path, each } = Object.fromEntries(new URL(url).searchParams);
  const visit = async () => {
    const response = await env.WORKER_SELF_REFERENCE.fetch(new URL(path, url));
    return { status: response.status, text: await response.text() };
  };
  return Response.json(await Promise.all(Array.from({ length: Number(each) }, visit)));
}
