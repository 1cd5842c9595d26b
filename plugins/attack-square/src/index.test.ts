import { testAttack } from '@gauntlet/testing';
import square, { squareSize } from './index.js';

const options = { queries: 500 };
testAttack(square, { options, norms: ['linf'] });
testAttack(square, {
  options,
  norms: ['l2'],
  skip: { 'reaches the optimum of a linear model': 'bumps are not the shape of its gradient' },
});

it('halves the area of the squares as the paper does', () => {
  const at = (query: number) => squareSize(0.8, query / 10_000, { height: 100, width: 100 }).rows;
  expect([0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001].map(at)).toEqual(
    [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((halvings) =>
      Math.round(Math.sqrt((0.8 / 2 ** halvings) * 10_000)),
    ),
  );
});
