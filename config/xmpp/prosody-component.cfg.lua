-- Prosody 0.12 or later: Tidegate answers slot requests itself, as an external component.
--
-- Put this into /etc/prosody/conf.d/. A direct sub-domain of the virtual host is found by clients
-- by itself; any other name needs an entry in the host's `disco_items`.
-- The component port (component_ports, by default 5347 on loopback) speaks plaintext: if Tidegate
-- runs on another machine, it has to come through a tunnel.

Component "upload.example.org"
    component_secret = "change-this-component-secret"
    -- Without it, Prosody refuses Tidegate's new connection for as long as it believes in an old one
    -- that broke without a word.
    component_conflict_resolve = "kick_old"
