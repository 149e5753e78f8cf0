/**
 * R2 buckets and D1 databases that tell the Worker in `stores.js` what each operation is billed for. They stand in an app's own
 * isolate: what R2 answers holds methods, which cross into no other Worker.
 */

const CLASS_A = ["put", "list", "createMultipartUpload"];
const CLASS_B = ["get", "head"];

/** The app with counted stores in its environment. @param {{ fetch: Function }} handler */
export function withCountedStores(handler) {
  return { ...handler, fetch: (request, env, ctx) => handler.fetch(request, counted(env), ctx) };
}

function counted(env) {
  const tell = (operations) => env.HARNESS_STORES.add(operations);
  const { r2, d1 } = env.HARNESS_COUNTED;
  const buckets = r2.map((binding) => [binding, countedBucket(env[binding], tell)]);
  const databases = d1.map((binding) => [binding, countedDatabase(env[binding], tell)]);
  return { ...env, ...Object.fromEntries([...buckets, ...databases]) };
}

function countedBucket(bucket, tell) {
  const costing = (kind, methods) =>
    methods.map((name) => [
      name,
      async (...args) => {
        await tell({ [kind]: 1 });
        return bucket[name](...args);
      },
    ]);
  return { ...Object.fromEntries([...costing("r2ClassA", CLASS_A), ...costing("r2ClassB", CLASS_B)]), delete: (keys) => bucket.delete(keys) };
}

function countedDatabase(database, tell) {
  const telling = async ({ meta }) => tell({ d1RowsRead: meta.rows_read, d1RowsWritten: meta.rows_written });
  return {
    prepare: (query) => new CountedStatement(database.prepare(query), telling),
    async batch(statements) {
      const answers = await database.batch(statements.map(({ statement }) => statement));
      for (const answer of answers) await telling(answer);
      return answers;
    },
  };
}

class CountedStatement {
  #telling;

  constructor(statement, telling) {
    this.statement = statement;
    this.#telling = telling;
  }

  bind(...values) {
    return new CountedStatement(this.statement.bind(...values), this.#telling);
  }

  async all() {
    const answer = await this.statement.all();
    await this.#telling(answer);
    return answer;
  }

  run() {
    return this.all();
  }

  /** D1 keeps the count of rows to itself here: it is asked for rows with names. */
  async raw() {
    const { results } = await this.all();
    return results.map((row) => Object.values(row));
  }
}
