// A file from Python, for the person to keep: made here from bytes, so that nothing is ever served as a file.
function keepFile(root, message) {
  const url = URL.createObjectURL(new Blob([bytesFrom(message.data)], {type: message.mime}))
  const link = h('a', {href: url, download: message.name})
  root.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 30000)
}
