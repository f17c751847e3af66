// In place of everything, where there is nothing to look at yet: what to do.
export function render({model, view}) {
  const send = sender(model, view)
  const copy = h('button', {onclick: () => navigator.clipboard?.writeText(model.command).then(() => { copy.textContent = 'copied' })}, 'copy')
  return h('main', {}, h('h1', {}, model.headline), h('p', {}, model.text),
    model.begin && h('p', {}, h('button', {class: 'primary begin', onclick: () => send('begin')}, model.begin)),
    h('p', {class: 'quiet'}, model.begin ? 'Or on the command line:' : 'Whoever runs this server does it here, or on the command line:'), h('div', {class: 'command'}, h('code', {}, model.command), copy))
}
