import { rendering } from "../../lib/render.js";

export async function getStaticProps() {
  await rendering("/old/gone");
  return { notFound: true, revalidate: 3600 };
}

export default function Gone() {
  return null;
}
