import { freshState } from './session-changes.js';
import type { StoredState } from './session.repository.js';
import { forgetText, rememberText, takeText } from './state-text.js';

const serializedAgain = '{"activeGoals":[],"context":{}}';

describe('the text of a state', () => {
  let state: StoredState;

  beforeEach(() => {
    state = { ...freshState('acme', 'ann', new Date(0), 1000), id: 'f'.repeat(24) };
  });

  it('is returned once as remembered, and then serialized again', () => {
    rememberText(state, 'remembered');
    expect(takeText(state)).toBe('remembered');
    expect(takeText(state)).toBe(serializedAgain);
  });

  it('is serialized again once forgotten', () => {
    rememberText(state, 'remembered');
    forgetText(state);
    expect(takeText(state)).toBe(serializedAgain);
  });
});
