// Texts of the pages that are served from memory again and again: to decode a page takes longer than to find it.
import type { EntryRead } from "../host/reading.js";
import { type OpenNextFile, type Texts as PageTexts, textsOf, valueOf } from "../next-format/opennext-values.js";

/** So much is kept, beside what the memory tier keeps of the same pages, by two bytes for each character. */
const LIMIT_BYTES = 4 * 1024 * 1024;
/** A page of more than that would leave no room for others. */
const LARGEST_BYTES = LIMIT_BYTES / 16;

export class Texts {
  /** Entry as the host has it in memory → its texts. They go with it. */
  #kept = new WeakMap<EntryRead, PageTexts>();
  #bytes = 0;

  /** A new value of an entry that the host will hand out again. */
  valueOf(entry: EntryRead, body: Uint8Array): OpenNextFile {
    return valueOf(this.#kept.get(entry) ?? this.#keep(entry, textsOf(entry, body)));
  }

  #keep(entry: EntryRead, texts: PageTexts): PageTexts {
    const bytes = [...texts.values()].reduce((sum, text) => sum + 2 * text.length, 0);
    if (bytes > LARGEST_BYTES) return texts;
    if (this.#bytes + bytes > LIMIT_BYTES) {
      // Which of them are still asked for shows as they come again.
      this.#kept = new WeakMap();
      this.#bytes = 0;
    }
    this.#kept.set(entry, texts);
    this.#bytes += bytes;
    return texts;
  }
}
