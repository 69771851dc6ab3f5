import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { DatabaseService } from '../../src/database/index.js';
import { ConversationWriter } from '../../src/conversation/conversation-writer.js';
import { SessionStore } from '../../src/session/session-store.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { allCases, unitCases } from '../support/query-plans/all-cases.js';
import type { MethodCases } from '../support/query-plans/cases.js';
import { faultsOf, planOf, shapeOf, type Statement, statementsOf } from '../support/query-plans/plan.js';
import {
  CommandRecorder,
  gettersOf,
  methodsOf,
  repositoryClasses,
  type RepositoryClass,
} from '../support/query-plans/recorder.js';
import { type ExplainedQuery, renderQueries } from '../support/query-plans/table.js';

const file = resolve('docs', 'queries.md');

/**
 * Accepted problems as `Class.method: problem`, with the reason. Each applies to the queries of the method
 * that filter by this field. An entry without such a problem makes the test fail.
 */
const accepted: Readonly<Record<string, { field: string; why: string }>> = {
  'ConversationRepository.listByUpdate: sorts in memory': {
    field: 'participantId',
    why: 'one participant has few conversations, and an index in this order would be written with every message',
  },
  'JobRepository.finishedBefore: sorts in memory': {
    field: 'dueAt',
    why: 'once in an archive run, and only some hundred finished jobs are kept',
  },
};

/** Getters of repositories, whose use the cases cannot cover, each with the reason why this is acceptable. */
const acceptedGetters: Readonly<Record<string, string>> = {
  'TranscriptRepository.collection': '$vectorSearch, which uses the named search index or fails',
};

/** Commands that query none of our collections, or concern the database itself. */
const housekeeping =
  /^(hello|ping|endSessions|killCursors|getMore|insert|commitTransaction|abortTransaction|create|createIndexes|listCollections|listIndexes|explain|dropDatabase)$/;

let app: TestApp;
let connection: Connection;
const recorder = new CommandRecorder();
const classes = new Map<string, RepositoryClass>();
/** Commands of group commit are attributed to the first of the units that share a transaction. */
const unitClasses: Readonly<Record<keyof typeof unitCases, RepositoryClass>> = {
  ConversationWriter,
  SessionStore,
};
const notCalled: string[] = [];
const explained: ExplainedQuery[] = [];

const explain = async (
  { explain: command }: Statement,
  verbosity: 'queryPlanner' | 'executionStats' = 'queryPlanner',
): Promise<mongo.Document> => {
  if (!connection.db) throw new Error('the database connection is not open');
  return connection.db.command({ explain: command, verbosity });
};

/** Queries that were not sent by a repository method. */
const sentByOthers = (): string[] =>
  recorder.commands
    .filter(
      ({ name, command, method }) =>
        method === undefined &&
        !housekeeping.test(name) &&
        !(name === 'aggregate' && JSON.stringify(command['pipeline']).startsWith('[{"$collStats"')),
    )
    .map(({ name, command }) => `${name} ${String(command[name])}`);

/** Calls each method of each repository. A method may depend on data stored by earlier calls. */
async function runCases(): Promise<void> {
  const types = new Map([...classes, ...Object.entries(unitClasses)]);
  for (const [name, methods] of Object.entries({ ...unitCases, ...allCases })) {
    const type = types.get(name);
    if (!type) continue;
    const repository: object = app.app.get(type, { strict: false });
    for (const [method, variants] of Object.entries<MethodCases<never>>(methods))
      for (const [variant, call] of Object.entries(variants)) {
        recorder.called.delete(`${name}.${method}`);
        await recorder.inCase(variant, () => call(repository as never));
        if (!recorder.called.has(`${name}.${method}`)) notCalled.push(`${name}.${method} ${variant}`);
      }
  }
}

beforeAll(async () => {
  for (const [name, type] of await repositoryClasses()) classes.set(name, type);
  for (const [name, type] of classes) recorder.follow(name, type);
  for (const [name, type] of Object.entries(unitClasses))
    recorder.follow(name, type, Object.keys(unitCases[name as keyof typeof unitCases]));
  app = await createTestApp({}, { onCommand: recorder.onCommand });
  connection = app.app.get<Connection>(getConnectionToken());
  // Requests through the application, to find queries that bypass the repositories.
  const tenant = await app.createTenant();
  await tenant.request('POST', '/v1/messages', { participantId: 'ana', channel: 'web', content: 'Hello' });
  await tenant.request('GET', '/v1/conversations');
  await tenant.request('POST', '/v1/transcripts/search', { query: 'Hello' });
  await runCases();
  for (const { name, command, method, variant } of [...recorder.commands])
    if (method !== undefined && variant !== undefined)
      for (const statement of statementsOf(name, command))
        explained.push({ method, statement, plan: planOf(await explain(statement), statement) });
});

afterAll(() => app.close());

describe('the cases', () => {
  it('cover every repository', () => {
    const listed = new Set(Object.keys(allCases));
    expect([
      ...[...classes.keys()]
        .filter((name) => !listed.has(name))
        .map((name) => `add the cases of ${name} to \`allCases\` in test/support/query-plans/all-cases.ts`),
      ...[...listed]
        .filter((name) => !classes.has(name))
        .map((name) => `remove ${name} from \`allCases\` in test/support/query-plans/all-cases.ts`),
    ]).toEqual([]);
  });

  it('call every method of each repository, private methods through public ones', () => {
    const all = [...classes].flatMap(([name, type]) => methodsOf(type).map((method) => `${name}.${method}`));
    const missing = all.filter((method) => !recorder.called.has(method));
    expect(
      missing.map(
        (method) => `add a case that calls ${method} to its repository's cases in test/support/query-plans`,
      ),
    ).toEqual([]);
    expect(notCalled).toEqual([]);
    expect(all.length).toBeGreaterThan(70);
  });

  it('list every getter', () => {
    const getters = [...classes].flatMap(([name, type]) => gettersOf(type).map((one) => `${name}.${one}`));
    expect(getters).toEqual(Object.keys(acceptedGetters));
  });
});

describe('the queries of the repositories', () => {
  it('use an index for their filter and their order', () => {
    const faults = explained.flatMap(({ method, statement, plan }) =>
      faultsOf(statement, plan).map((fault) => ({
        name: `${method}: ${fault}`,
        shape: `${statement.operation} ${statement.collection} by ${shapeOf(statement.filter)}`,
        isAccepted: Object.hasOwn(statement.filter, accepted[`${method}: ${fault}`]?.field ?? ''),
      })),
    );
    expect(faults.filter(({ isAccepted }) => !isAccepted)).toEqual([]);
    const found = new Set(faults.map(({ name }) => name));
    expect(Object.keys(accepted).filter((name) => !found.has(name))).toEqual([]);
  });

  it('read only the documents of a participant when they filter by participant', async () => {
    const others = Array.from({ length: 50 }, (_, n) => ({
      tenantId: 'acme',
      participantId: `other-${n}`,
      channel: 'web',
      isActive: true,
      updatedAt: new Date(),
    }));
    await app.database.collection('conversations').insertMany(others);
    const ofOne = explained.filter(
      ({ method, statement }) =>
        method.startsWith('ConversationRepository.') && statement.filter['participantId'] === 'ana',
    );
    expect(ofOne.length).toBeGreaterThan(8);
    for (const { statement } of ofOne) {
      const { executionStats } = await explain(statement, 'executionStats');
      expect((executionStats as mongo.Document)['totalDocsExamined']).toBeLessThan(5);
    }
  });

  it('are the only queries sent to the database', async () => {
    expect(sentByOthers()).toEqual([]);
    await connection.collection('tenants').findOne({ name: 'past the repository' });
    expect(sentByOthers()).toEqual(['find tenants']);
  });

  it('match docs/queries.md (written by npm run db:plans)', () => {
    // Another server may choose a different index. The page describes the embedded store.
    const text = renderQueries(explained);
    if (process.env['COLLOQUY_WRITE_QUERIES'] === '1') writeFileSync(file, text);
    const isEmbedded = process.env['TEST_MONGODB_URI'] === undefined;
    expect(isEmbedded ? readFileSync(file, 'utf8') : text).toBe(text);
    expect(app.app.get(DatabaseService).state).toBe('connected');
  });
});

describe('a plan without an index', () => {
  const faultsOfFind = async (more: mongo.Document): Promise<string[]> => {
    const [statement] = statementsOf('find', { find: 'transcripts', ...more });
    if (!statement) throw new Error('no statement');
    return faultsOf(statement, planOf(await explain(statement), statement));
  };

  it.each<[string, mongo.Document, string[]]>([
    [
      'a query by a field without an index',
      { filter: { error: 'no' }, limit: 1 },
      ['reads the whole collection'],
    ],
    [
      'an order that no index provides',
      { filter: { tenantId: 'acme' }, sort: { storedAt: 1 }, limit: 10 },
      ['sorts in memory'],
    ],
    ['everything of a tenant', { filter: { tenantId: 'acme' } }, []],
    [
      'all documents in the order of an index',
      { filter: {}, sort: { tenantId: 1, changeSeq: 1 } },
      ['reads a whole index'],
    ],
    ['some of it', { filter: {}, sort: { tenantId: 1, changeSeq: 1 }, limit: 10 }, []],
  ])('%s', async (_what, command, faults) => {
    expect(await faultsOfFind(command)).toEqual(faults);
  });

  it('is detected in each command with a query', async () => {
    const filter = { error: 'no' };
    const commands: [string, mongo.Document][] = [
      ['count', { query: filter }],
      ['distinct', { key: 'error', query: filter }],
      ['aggregate', { pipeline: [{ $match: filter }, { $group: { _id: 1 } }], cursor: {} }],
      ['findAndModify', { query: filter, remove: true }],
      ['update', { updates: [{ q: filter, u: { $set: { error: 'x' } } }] }],
      [
        'delete',
        {
          deletes: [
            { q: { tenantId: 'acme' }, limit: 1 },
            { q: filter, limit: 0 },
          ],
        },
      ],
    ];
    for (const [name, command] of commands) {
      const faults: string[] = [];
      for (const statement of statementsOf(name, { [name]: 'transcripts', ...command }))
        faults.push(...faultsOf(statement, planOf(await explain(statement), statement)));
      expect([name, faults]).toEqual([name, ['reads the whole collection']]);
    }
  });
});
