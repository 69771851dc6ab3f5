import { type GoalResponderConfig, goalResponderConfig } from './goal-template.js';

/** The configuration of tenants that have not chosen a responder. */
export const starterConfig: GoalResponderConfig = goalResponderConfig.parse({
  templates: [
    {
      type: 'table_booking',
      triggers: ['book', 'booking', 'table', 'reserve', 'reservation'],
      slots: [
        {
          name: 'partySize',
          kind: 'number',
          integer: true,
          min: 1,
          max: 50,
          prompt: 'For how many people?',
          reprompt: 'I need a number from 1 to 50.',
        },
        { name: 'date', kind: 'date', prompt: 'On which day?' },
        { name: 'time', kind: 'time', earliest: '11:00', prompt: 'At what time?' },
      ],
      completion: 'Thank you! A table for {partySize} on {date} at {time} is noted.',
    },
    {
      type: 'order_status',
      triggers: ['order status', 'my order', 'track', 'tracking', 'my package', 'my delivery'],
      slots: [
        {
          name: 'orderNumber',
          kind: 'code',
          prompt: 'What is the order number?',
          reprompt: 'An order number has at least one digit, for example A-1042.',
        },
      ],
      completion: 'Thank you. Order {orderNumber} is noted and will be looked up.',
    },
    {
      type: 'human_handover',
      triggers: ['human', 'agent', 'real person', 'representative', 'talk to someone', 'speak to someone'],
      interrupts: true,
      slots: [{ name: 'topic', kind: 'text', prompt: 'I will pass you on. What is it about?' }],
      completion: 'Thank you. Someone will take it from here.',
    },
  ],
  fallback: 'I can book a table, look after an order, or pass you on to a human. What would you like?',
});
