import type { Command } from '../commands/command.js';
import type { Doc } from '../values/bson.js';
import { checkStableApi } from './stable-api.js';

const command = (name: string): Command => ({ name, run: () => ({}) });

it.each<[string, Doc]>([
  ['distinct', {}],
  ['distinct', { apiVersion: '1' }],
  ['find', { apiVersion: '1', apiStrict: true, apiDeprecationErrors: true }],
  ['aggregate', { apiVersion: '1', apiStrict: true, pipeline: [{ $collStats: { count: {} } }] }],
])('%s with %j runs', (name, body) => {
  expect(() => checkStableApi(command(name), body)).not.toThrow();
});

it.each<[string, Doc, number]>([
  ['find', { apiStrict: true }, 4886600],
  ['find', { apiVersion: '2' }, 322],
  ['distinct', { apiVersion: '1', apiStrict: true }, 323],
  ['aggregate', { apiVersion: '1', apiStrict: true, pipeline: [{ $indexStats: {} }] }, 323],
  ['aggregate', { apiVersion: '1', apiStrict: true, pipeline: [{ $collStats: { storageStats: {} } }] }, 323],
])('%s with %j is refused with %i', (name, body, code) => {
  expect(() => checkStableApi(command(name), body)).toThrow(expect.objectContaining({ code }) as Error);
});
