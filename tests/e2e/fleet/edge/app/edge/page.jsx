export const runtime = "edge";

/** A page in the edge runtime, of fetched data that may be kept for an hour. */
export default async function EdgePage() {
  const response = await fetch(`http://${process.env.PROBE}/read?path=/edge`, { next: { revalidate: 3600, tags: ["edge"] } });
  const { version } = await response.json();
  return <p data-version={version}>Edge</p>;
}
