'use strict';
// Shows openapi.json; all of it as text.
(() => {
  let api = null;

  function make(name, text, className) {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function resolved(schema) {
    const name = schema?.$ref?.split('/').pop();
    return name ? api.components.schemas[name] : schema ?? {};
  }

  function typeOf(schema) {
    if (!schema) return '';
    if (schema.anyOf) return schema.anyOf.map(typeOf).filter((t) => t !== 'null').join(' or ');
    const bounds = [
      ['minimum', '≥'], ['maximum', '≤'],
    ].filter(([name]) => Math.abs(schema[name]) < 1e15).map(([name, sign]) => ` ${sign} ${schema[name]}`);
    const file = schema.format === 'binary' || schema.contentMediaType;
    return (file ? 'file' : schema.type ?? 'object') + bounds.join('');
  }

  function table(parameters) {
    const body = make('table');
    for (const parameter of parameters) {
      const row = make('tr');
      const { schema } = parameter;
      const given = schema.default !== undefined ? `default ${schema.default}` : '';
      row.append(
        make('th', parameter.name),
        make('td', typeOf(schema)),
        make('td', parameter.required ? 'required' : given),
        make('td', parameter.description ?? schema.description ?? ''));
      body.append(row);
    }
    return body;
  }

  function bodies(content) {
    return Object.entries(content).map(([kind, { schema }]) => {
      const names = Object.entries(resolved(schema).properties ?? {})
        .map(([name, value]) => `${name} (${typeOf(value)})`);
      return make('li', names.length ? `${kind}: ${names.join(', ')}` : kind);
    });
  }

  function example(method, path, operation) {
    const parts = ['curl'];
    if (method !== 'get') parts.push('-X', method.toUpperCase());
    const kinds = operation.requestBody?.content ?? {};
    if (kinds['multipart/form-data']) parts.push('-F video=@clip.mp4');
    else if (kinds['application/json']) parts.push("--json '{…}'");
    else if (kinds['application/x-npy']) {
      parts.push("-H 'Content-Type: application/x-npy' --data-binary @features.npy");
    }
    parts.push(new URL(`.${path}`, location).href.replace(/%7B/g, '{').replace(/%7D/g, '}'));
    return parts.join(' ');
  }

  function card(method, path, operation) {
    const item = make('section', undefined, 'operation');
    const title = make('h2');
    title.append(make('span', method.toUpperCase(), `method ${method}`), make('code', path));
    const words = (operation.description ?? operation.summary).replace(/([^\n])\n(?!\n)/g, '$1 ');
    item.append(title, make('p', words));
    if (operation.parameters) item.append(table(operation.parameters));
    if (operation.requestBody) {
      const list = make('ul');
      list.append(...bodies(operation.requestBody.content));
      item.append(make('h3', 'Body'), list);
    }
    item.append(make('pre', example(method, path, operation)));
    return item;
  }

  async function start() {
    const answer = await fetch('openapi.json');
    api = await answer.json();
    document.getElementById('description').textContent = api.info.description;
    const cards = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => card(method, path, operation)));
    document.getElementById('operations').replaceChildren(...cards);
  }
  start();
})();
