// In a notebook's cell: take the still picture away once the kernel answers, and say what there is
// to say. There is no header here that could.

export function render({model, view, el}) {
  const send = sender(model, view)
  const busy = h('span', {class: 'busy', 'aria-live': 'polite'})
  const toast = h('div', {class: 'toast', role: 'status', hidden: true})

  function awake() {
    if (model.awake) document.querySelectorAll(`[data-explorer-still="${model.still}"]`).forEach(still => still.remove())
  }
  let timer = 0, said = 0
  function say(notice) {
    clearTimeout(timer)
    toast.hidden = !notice
    if (!notice) return
    toast.className = `toast ${notice.kind}`
    toast.setAttribute('role', notice.kind === 'error' ? 'alert' : 'status')
    toast.replaceChildren(h('span', {}, notice.text), h('button', {class: 'bare', 'aria-label': 'Close', onclick: close}, icon('close', 12)))
    said = notice.number
    if (notice.kind !== 'error') timer = setTimeout(close, 5000)
  }
  function close() { toast.hidden = true; send('dismiss', {number: said}) }
  const draw = () => { busy.textContent = model.busy ? `${model.busy} …` : '' }

  // JupyterLab, VS Code and Colab each have their own way to say that they are dark.
  function dark() {
    const {jpThemeLight, vscodeThemeKind} = document.body.dataset
    if (jpThemeLight) return jpThemeLight === 'false'
    if (vscodeThemeKind) return /dark|high-contrast$/.test(vscodeThemeKind)
    const colab = document.documentElement.getAttribute('theme')
    return colab ? colab === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  }
  if (model.follow && dark() !== (model.theme === 'dark')) send('theme', {dark: dark()})

  model.on('awake', awake)
  model.on('busy', draw)
  model.on('notice', () => say(model.notice))
  // As it is in the notebook's file it is alone: then the view is to come.
  if (!model.awake) send('alone')
  draw(); say(model.notice); awake()
  return h('div', {class: 'over'}, busy, toast)
}
