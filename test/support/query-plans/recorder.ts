import { AsyncLocalStorage } from 'node:async_hooks';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { mongo } from 'mongoose';
import type { CommandListener } from '../../../src/database/index.js';

export type RepositoryClass = new (...args: never[]) => object;

/** Every class exported by a `*.repository.ts` file in src, by name. */
export async function repositoryClasses(): Promise<Map<string, RepositoryClass>> {
  const root = resolve('src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const classes = new Map<string, RepositoryClass>();
  for (const file of files.filter((name) => name.endsWith('.repository.ts')).sort()) {
    const exported = (await import(join(root, file))) as Record<string, unknown>;
    const found = Object.entries(exported).filter(([name]) => name.endsWith('Repository'));
    if (found.length === 0) throw new Error(`${file} exports no class whose name ends with Repository`);
    for (const [name, value] of found) classes.set(name, value as RepositoryClass);
  }
  return classes;
}

const members = (type: RepositoryClass): [string, PropertyDescriptor][] =>
  Object.entries(Object.getOwnPropertyDescriptors(type.prototype as object)).filter(
    ([name]) => name !== 'constructor',
  );

/** The methods of the class itself, including private ones. */
export const methodsOf = (type: RepositoryClass): string[] =>
  members(type)
    .filter(([, { value }]) => typeof value === 'function')
    .map(([name]) => name);

export const gettersOf = (type: RepositoryClass): string[] =>
  members(type)
    .filter(([, descriptor]) => Object.hasOwn(descriptor, 'get'))
    .map(([name]) => name);

/**
 * A command with its sender. `variant` is absent if it was sent outside of a case, `method` if it was sent
 * outside of a repository method.
 */
export interface SentCommand {
  name: string;
  command: mongo.Document;
  /** `Class.method`. */
  method?: string | undefined;
  variant?: string | undefined;
}

interface Sender {
  method?: string;
  variant?: string;
}

/** Records each command sent to the database, with the repository method that sent it. */
export class CommandRecorder {
  readonly commands: SentCommand[] = [];
  /** Methods that a case called directly or indirectly, as `Class.method`. */
  readonly called = new Set<string>();
  private readonly sender = new AsyncLocalStorage<Sender>();

  readonly onCommand: CommandListener = ({ commandName, command }) => {
    this.commands.push({ name: commandName, command: { ...command }, ...this.sender.getStore() });
  };

  /**
   * Attributes the commands sent by these methods of the class to them. Commands of a nested call are
   * attributed to the outer method.
   */
  follow(name: string, type: RepositoryClass, methods: readonly string[] = methodsOf(type)): void {
    for (const method of methods) {
      const whole = `${name}.${method}`;
      const original = Reflect.get(type.prototype as object, method) as (...args: unknown[]) => unknown;
      const { called, sender } = this;
      const followed = function (this: unknown, ...args: unknown[]): unknown {
        const outer = sender.getStore();
        if (outer?.variant !== undefined) called.add(whole);
        return sender.run({ method: whole, ...outer }, () => Reflect.apply(original, this, args));
      };
      Reflect.defineProperty(type.prototype as object, method, { value: followed, configurable: true });
    }
  }

  /** Attributes the commands that `work` sends to this variant of a case. */
  inCase<T>(variant: string, work: () => Promise<T>): Promise<T> {
    return this.sender.run({ variant }, work);
  }
}
