import type { NamespaceUse, OperationKind, UsageStore } from '../commands/host.js';

/** Maximum number of namespaces that are tracked. Operations on others are not counted. */
const maxNamespaces = 2_000;

const kinds: readonly OperationKind[] = ['insert', 'query', 'update', 'remove', 'getmore', 'command'];

function unused(): NamespaceUse {
  const use: Partial<Record<OperationKind, { count: number; micros: number }>> = {};
  for (const kind of kinds) use[kind] = { count: 0, micros: 0 };
  return use as NamespaceUse;
}

/** Number and duration of the operations on each collection, for `top` and `$collStats`. */
export class Usage implements UsageStore {
  private readonly uses = new Map<string, NamespaceUse>();

  add(ns: string, kind: OperationKind, millis: number): void {
    let use = this.uses.get(ns);
    if (!use) {
      if (this.uses.size >= maxNamespaces) return;
      this.uses.set(ns, (use = unused()));
    }
    const counter = use[kind];
    counter.count += 1;
    counter.micros += millis * 1000;
  }

  of(ns: string): NamespaceUse {
    return this.uses.get(ns) ?? unused();
  }

  all(): ReadonlyMap<string, NamespaceUse> {
    return this.uses;
  }
}
