// The page's own flag and events, by the browser SDK.
const settings = JSON.parse(document.body.dataset.settings);
const client = paribus.createClient({ ...settings, pageViews: true });
const banner = document.getElementById("banner");

client.ready.then(() => {
  banner.hidden = client.variant("shipping-banner") !== "treatment";
});
banner.addEventListener("click", () => client.track("banner_clicked", { title: document.title }));
