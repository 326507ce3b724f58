// A photo from a file or from the camera, sent to the kernel as one message with the bytes beside it.
// Nothing is kept here, nothing is part of the widget's state, and nothing leaves the page but that message.

const SIDE = 1600 // pixels; a larger photo is made smaller before it is sent

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

// A drawable (image bitmap, video) as JPEG bytes, its longer side at most SIDE pixels.
async function jpeg(source, width, height) {
  const share = Math.min(1, SIDE / Math.max(width, height))
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, Math.round(width * share))
  canvas.height = Math.max(1, Math.round(height * share))
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height)
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95))
  if (!blob) throw new Error("the browser could not write a JPEG")
  return blob.arrayBuffer()
}

// The file as it is where it is small, so that the kernel says what is wrong with it; made smaller here where
// it is large, because a message of more than 10 MB would break the connection to the kernel.
async function bytesOf(file, limit) {
  if (file.size <= limit) return file.arrayBuffer()
  const bitmap = await createImageBitmap(file) // turns it upright as its EXIF data say
  try {
    return await jpeg(bitmap, bitmap.width, bitmap.height)
  } finally {
    bitmap.close()
  }
}

function button(text, title) {
  const made = document.createElement("button")
  made.className = "jupyter-button"
  made.textContent = text
  made.title = title
  return made
}

function render({ model, el }) {
  const label = model.get("label")
  const limit = model.get("limit")
  const texts = model.get("texts")
  // In the course's language; {0}, {1}, … are places for values.
  const say = (text, ...values) => (texts[text] ?? text).replace(/\{(\d)\}/g, (_, place) => values[place])
  const send = (name, bytes) => model.send({ kind: "photo", name }, undefined, [bytes])
  const problem = (text) => model.send({ kind: "problem", text })

  el.classList.add("facelab-photo-source")
  const choose = button(`${label}: ${say("a file …")}`, say("Choose a photo on this computer"))
  const file = document.createElement("input")
  file.type = "file"
  file.accept = "image/*"
  file.multiple = model.get("several")
  file.hidden = true
  file.setAttribute("aria-label", `${label} ${say("from a file")}`)
  choose.onclick = () => file.click()
  const bring = async (files) => {
    for (const chosen of model.get("several") ? files : [...files].slice(0, 1)) {
      try {
        send(chosen.name, await bytesOf(chosen, limit))
      } catch {
        const sizes = [megabytes(chosen.size), megabytes(limit)]
        problem(
          say(
            "{0} is {1}, more than the {2} that can be sent, and this browser cannot open it to make it smaller: save it as a smaller JPEG.",
            chosen.name,
            ...sizes,
          ),
        )
      }
    }
  }
  file.onchange = async () => {
    await bring([...file.files])
    file.value = "" // so that the same file can be chosen again
  }
  el.append(choose, file)

  // A photo may also be dropped here; the page must not open it in place of the notebook.
  const hint = document.createElement("span")
  hint.className = "facelab-drop"
  hint.textContent = model.get("several") ? say("or drop photos here") : say("or drop a photo here")
  el.append(hint)
  const over = (on) => (event) => {
    event.preventDefault()
    event.stopPropagation()
    el.classList.toggle("over", on)
  }
  el.addEventListener("dragenter", over(true))
  el.addEventListener("dragover", over(true))
  el.addEventListener("dragleave", over(false))
  el.addEventListener("drop", (event) => {
    over(false)(event)
    const files = [...event.dataTransfer.files]
    if (files.length) bring(files)
    else problem(say("What was dropped is no file. Drop a photo from a folder of this computer."))
  })

  let stream = null
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop())
    stream = null
  }
  if (!navigator.mediaDevices?.getUserMedia) return stop

  const open = button(`${label}: ${say("camera …")}`, say("Look into the camera of this computer"))
  const take = button(say("Take it"), say("Use what the camera sees now"))
  const close = button(say("Close"), say("Switch the camera off"))
  const video = document.createElement("video")
  video.muted = true
  video.playsInline = true
  const live = document.createElement("div")
  live.className = "facelab-camera"
  live.hidden = true
  live.append(video, take, close)
  const off = () => {
    stop()
    video.srcObject = null
    live.hidden = true
    open.disabled = false
  }
  open.onclick = async () => {
    open.disabled = true
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false })
      video.srcObject = stream
      await video.play()
      live.hidden = false
      take.focus()
    } catch (error) {
      off()
      problem(
        error.name === "NotAllowedError"
          ? say("The browser may not use the camera here: allow it in the address bar, or choose a file.")
          : say("The camera could not be opened ({0}): choose a file instead.", error.name),
      )
    }
  }
  take.onclick = async () => {
    const picture = jpeg(video, video.videoWidth, video.videoHeight) // drawn at once, encoded while we go on
    off()
    try {
      send("camera", await picture)
    } catch (error) {
      problem(say("The camera's picture could not be taken ({0}): choose a file instead.", error.message))
    }
  }
  close.onclick = off
  el.append(open, live)
  return stop
}

export default { render }
