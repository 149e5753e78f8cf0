import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 3600;

export function generateStaticParams() {
  return ["plain", "žluť", "two words"].map((word) => ({ word }));
}

export default async function Word({ params }) {
  const { word } = await params;
  return <Page render={await rendering(`/words/${word}`)} title="A name with characters that addresses encode" />;
}
