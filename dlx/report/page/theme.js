// @ts-check
// The switch between the system's colours, light and dark.

function theme() {
  const schemes = ["auto", "light", "dark"];
  let now = 0;
  const button = make("button", { type: "button", class: "button theme" });
  const write = () => {
    button.textContent = `Theme: ${schemes[now]}`;
    if (now) document.documentElement.dataset.theme = schemes[now];
    else delete document.documentElement.dataset.theme;
  };
  button.addEventListener("click", () => {
    now = (now + 1) % schemes.length;
    write();
  });
  write();
  document.querySelector("header")?.append(button);
}
