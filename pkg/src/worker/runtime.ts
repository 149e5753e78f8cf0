// What is used of a Durable Object's runtime.

/** A value in a row of SQLite storage. */
export type SqlValue = ArrayBuffer | string | number | null;

/** Rows that a query found. */
export interface SqlCursor<Row> {
  toArray(): Row[];
  one(): Row;
}

/** A Durable Object's storage, and what keeps it at work. */
export interface ObjectState {
  readonly storage: {
    readonly sql: { exec<Row = Record<string, SqlValue>>(query: string, ...values: unknown[]): SqlCursor<Row> };
    getAlarm(): Promise<number | null>;
    setAlarm(at: number): Promise<void>;
    deleteAll(): Promise<void>;
    transactionSync<Result>(work: () => Result): Result;
  };
  waitUntil(promise: Promise<unknown>): void;
  blockConcurrencyWhile<Result>(work: () => Promise<Result>): Promise<Result>;
}
