import { cacheHandler } from "onegen/next";

export default cacheHandler({ windowMs: Number(process.env.WINDOW_MS ?? 1000) });
