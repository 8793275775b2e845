import { expect, it } from 'vitest';
import { addressesOf, nameInUrl } from './addresses.ts';

it.each([
  ['https://api.github.com', 'https://api.github.com', 'https://github.com'],
  ['https://api.github.com/', 'https://api.github.com', 'https://github.com'],
  ['https://api.octocorp.ghe.com', 'https://api.octocorp.ghe.com', 'https://octocorp.ghe.com'],
  ['https://ghe.example.com/api/v3/', 'https://ghe.example.com/api/v3', 'https://ghe.example.com'],
  ['http://localhost:8080/api/v3', 'http://localhost:8080/api/v3', 'http://localhost:8080'],
])('%s has its pages on %s', (given, api, web) => {
  expect(addressesOf(given)).toEqual({ api, web });
});

it.each(['github.com', 'ftp://github.com', 'https://token@api.github.com', 'https://api.github.com?x=1', ''])(
  'refuses %j by the name of the setting',
  (url) => {
    expect(() => addressesOf(url)).toThrow(/^github_api_url: /);
  },
);

it.each([
  ['https://github.com/octo/hello', 'octo/hello'],
  ['https://github.com/octo/hello.git', 'octo/hello'],
  ['https://github.com/octo/hello/', 'octo/hello'],
  ['https://github.com/octo/hello/pull/3', null],
  ['https://github.com/octo', null],
  ['https://user@github.com/octo/hello', null],
  ['ssh://git@github.com/octo/hello', null],
  ['https://github.com:8443/octo/hello', null],
  ['octo/hello', null],
])('%s is %s', (url, name) => {
  expect(nameInUrl(addressesOf('https://api.github.com'), url)).toBe(name);
});
