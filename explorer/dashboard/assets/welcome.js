// In place of everything, where there is nothing to look at yet: what to do.
export function render({model}) {
  const copy = h('button', {onclick: () => navigator.clipboard?.writeText(model.command).then(() => { copy.textContent = 'copied' })}, 'copy')
  return h('main', {}, h('h1', {}, model.headline), h('p', {}, model.text), h('div', {class: 'command'}, h('code', {}, model.command), copy))
}
