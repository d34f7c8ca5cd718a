// A peer of `cargo xtask bench`: the limit. It verifies nothing and reads nothing; it passes the body
// on to the vendor, and the vendor's answer back.

export default {
  fetch(request, env) {
    const { partner_name, base_url, auth } = env.VENDORS.insider;
    return fetch(`${base_url}/api/user/v1/identity`, {
      method: "DELETE",
      headers: {
        "X-PARTNER-NAME": partner_name,
        "X-REQUEST-TOKEN": env[auth.token],
        "Content-Type": "application/json",
      },
      body: request.body,
    });
  },
};
