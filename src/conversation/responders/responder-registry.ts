import { Inject, Injectable } from '@nestjs/common';
import type { Responder } from './responder.js';

/** Injection token of every responder there is: the built-in ones and those given to `ConversationModule.withResponders`. */
export const RESPONDERS = Symbol('RESPONDERS');

@Injectable()
export class ResponderRegistry {
  private readonly byType: ReadonlyMap<string, Responder>;

  /** @throws Error at start when two responders have the same type */
  constructor(@Inject(RESPONDERS) responders: readonly Responder[]) {
    const byType = new Map<string, Responder>();
    for (const responder of responders) {
      if (byType.has(responder.type)) throw new Error(`there are two responders of type "${responder.type}"`);
      byType.set(responder.type, responder);
    }
    this.byType = byType;
  }

  get types(): string[] {
    return [...this.byType.keys()];
  }

  find(type: string): Responder | undefined {
    return this.byType.get(type);
  }
}
