/** Stands in each process of a world of processes, and tells the test which start of which service that process reaches. */
export default {
  async fetch(request, env) {
    const service = new URL(request.url).searchParams.get("service");
    try {
      const response = await env[service].fetch("http://harness/boot");
      return new Response(response.ok ? await response.text() : "null");
    } catch {
      return new Response("null");
    }
  },
};
