import { notFound } from "next/navigation";
import { rendering } from "../../../lib/render.js";

export const revalidate = 5;

export function generateStaticParams() {
  return [];
}

export default async function Missing({ params }) {
  const { slug } = await params;
  await rendering(`/missing/${slug}`);
  notFound();
}
