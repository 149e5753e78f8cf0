import { redirect } from "next/navigation";
import { rendering } from "../../lib/render.js";

export const revalidate = 3600;

export default async function Moved() {
  await rendering("/moved");
  redirect("/about");
}
