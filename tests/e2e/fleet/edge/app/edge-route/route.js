export const runtime = "edge";

export async function GET() {
  const response = await fetch(`http://${process.env.PROBE}/read?path=/edge-route`, { next: { revalidate: 3600, tags: ["edge"] } });
  const { version } = await response.json();
  return new Response(`<p data-version="${version}"></p>`, { headers: { "content-type": "text/html" } });
}
