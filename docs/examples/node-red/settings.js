// Node-RED for itself: on this machine alone, with the user and password of the broker from the environment.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.PORT || 1880),
  credentialSecret: false, // flows_cred.json names variables and holds no secret
  functionExternalModules: true, // the flow reads a clock that nobody sets, of Node.js itself
  telemetry: { enabled: false, updateNotification: false },
};
