import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryArchiveStore } from './directory-archive-store.js';

let location: string;
let store: DirectoryArchiveStore;

beforeEach(async () => {
  location = await mkdtemp(join(tmpdir(), 'archives-'));
  store = new DirectoryArchiveStore(location);
  for (const name of ['a/1/rows', 'a/1/manifest', 'a/2/rows', 'b/1/rows'])
    await store.write(name, chunks(Buffer.from(name)));
});
afterEach(() => rm(location, { recursive: true, force: true }));

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

it('lists the files of a folder', async () => {
  const names: string[] = [];
  for await (const name of store.list('a/')) names.push(name);
  expect(names.sort()).toEqual(['a/1/manifest', 'a/1/rows', 'a/2/rows']);
});

it('lists files while another process deletes them', async () => {
  const names: string[] = [];
  for await (const name of store.list('a/')) {
    names.push(name);
    await rm(join(location, 'a'), { recursive: true, force: true });
  }
  expect(names).toHaveLength(3);
});

it('deletes the folders of a file that are empty then, but not those of other files', async () => {
  await store.delete('a/1/rows');
  await store.delete('a/1/manifest');
  expect(await readdir(location, { recursive: true }).then((names) => names.sort())).toEqual([
    ...['a', 'a/2', 'a/2/rows'],
    ...['b', 'b/1', 'b/1/rows'],
  ]);
  await store.delete('a/2/rows');
  await store.delete('b/1/rows');
  expect(await readdir(location)).toEqual([]);
});

it('deletes a file that another process has deleted with its folder', async () => {
  await rm(join(location, 'a'), { recursive: true });
  await store.delete('a/1/rows');
  expect(await readdir(location)).toEqual(['b']);
});
