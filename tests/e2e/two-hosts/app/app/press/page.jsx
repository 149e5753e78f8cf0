import { updateTag } from "next/cache";

async function update(form) {
  "use server";
  updateTag(form.get("tag"));
}

/** A button that updates the tag `?tag=`. */
export default async function Press({ searchParams }) {
  const { tag } = await searchParams;
  return (
    <form action={update}>
      <input type="hidden" name="tag" value={tag} />
      <button>Update it</button>
    </form>
  );
}
