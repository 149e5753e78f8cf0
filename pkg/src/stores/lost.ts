/** Whether a message was lost on its way. Between two processes of a local runtime an error keeps its message, not its properties. */
export function isLost(error: unknown): boolean {
  const { overloaded, retryable, message } = (error ?? {}) as { overloaded?: unknown; retryable?: unknown; message?: unknown };
  return !overloaded && (retryable === true || String(message).startsWith("Network connection lost"));
}
