import type { Responder } from './responder.js';

/**
 * The responders that tenants can choose: the built-in ones and those registered with
 * `ResponderModule.forFeature`.
 */
export class ResponderRegistry {
  private readonly byType = new Map<string, Responder>();

  /** @throws Error if two responders have the same type */
  constructor(responders: readonly Responder[]) {
    for (const responder of responders) this.add(responder);
  }

  /** @throws Error if a responder of this type is already registered */
  add(responder: Responder): void {
    if (this.byType.has(responder.type))
      throw new Error(`there are two responders of type "${responder.type}"`);
    this.byType.set(responder.type, responder);
  }

  get types(): string[] {
    return [...this.byType.keys()];
  }

  find(type: string): Responder | undefined {
    return this.byType.get(type);
  }
}
