import { notFound } from "next/navigation";
import { rendering } from "../../lib/render.js";

export const revalidate = 3600;

export default async function Gone() {
  await rendering("/gone");
  notFound();
}
