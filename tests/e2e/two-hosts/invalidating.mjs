/** Ways to invalidate, as an app on either host does it. */

import { FormData } from "undici";

const post = (place, path) => place.visit(path, { method: "POST" });

export const hard = (place, tag) => post(place, `/api/revalidate?tag=${tag}`);
export const soft = (place, tag) => post(place, `/api/revalidate?tag=${tag}&profile=max`);
export const expiring = (place, tag, seconds) => post(place, `/api/expire?tag=${tag}&seconds=${seconds}`);
export const byPath = (place, path) => post(place, `/api/revalidate?path=${path}`);
export const regenerated = (place, path) => place.visit(`/api/regenerate?path=${path}`);

/** A server action that calls `updateTag`: presses the button, as a browser without JavaScript does. */
export async function updated(place, tag) {
  const page = `/press?tag=${tag}`;
  const { text } = await place.visit(page);
  const form = new FormData();
  for (const [, name, value] of text.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g)) form.append(name, value ?? "");
  return place.visit(page, { method: "POST", body: form });
}

export const versionOf = ({ text }) => /data-version="([^"]+)"/.exec(text)?.[1];
