// How long a stale page may still be served. The end-to-end tests shorten it, to see a page expire.
const expireTime = process.env.EXPIRE_TIME && Number(process.env.EXPIRE_TIME);

export default {
  ...(expireTime && { expireTime }),
  turbopack: { root: import.meta.dirname },
};
