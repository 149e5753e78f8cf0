import { pathTags } from "./paths.js";

const TAGS_HEADER = "x-next-cache-tags";

/** Headers of a value, as Next.js and OpenNext keep them. */
export type ValueHeaders = Readonly<Record<string, unknown>>;

/** Next.js tells the tags of pages and routes of the App Router in a header; the Pages Router's have none but their path. */
export function tagsOf(
  { isOfPagesRouter, headers }: { isOfPagesRouter: boolean; headers: ValueHeaders | undefined },
  key: string,
): string[] {
  if (isOfPagesRouter) return pathTags(key);
  const header = headers?.[TAGS_HEADER];
  return typeof header === "string" && header !== "" ? header.split(",") : [];
}
