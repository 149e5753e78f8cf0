import { setTimeout as sleep } from "node:timers/promises";
import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 5;

export function generateStaticParams() {
  return [];
}

export default async function Slow({ params }) {
  const { slug } = await params;
  const render = await rendering(`/slow/${slug}`, () => sleep(2000));
  return (
    <Page render={render} title="Two seconds to generate">
      <p>Whoever asks while it is being generated for the first time waits for that render, and starts no other.</p>
    </Page>
  );
}
