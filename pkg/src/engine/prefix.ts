/** How many bytes of a frame tell the length of its header. */
export const prefixBytes = (): number => 12;
