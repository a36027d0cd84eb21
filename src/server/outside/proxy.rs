//! [`Proxy`]: who stands in front, and which line of its configuration mends what.

use super::answer::Answer;

/// What stands in front of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Caddy.
    Caddy,
    /// Apache with `mod_proxy`.
    Apache,
    /// Traefik.
    Traefik,
    /// Another one, or none.
    Unknown,
}

/// What a proxy does to uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Holds bodies back until they are whole.
    Buffering,
    /// Refuses long bodies.
    BodyLimit,
    /// Does not say where clients think they are, or lets them say it themselves.
    Forwarding,
    /// Drops fields of requests.
    RequestFields,
    /// Drops fields of answers.
    AnswerFields,
    /// Refuses methods.
    Methods,
    /// Answers preflights, or speaks about CORS beside the gateway.
    Cors,
    /// Ends connections on which a client pauses.
    Impatience,
    /// Lets clients send little over HTTP/2 before they hear from it again.
    Window,
}

impl Proxy {
    /// The one that `name` means; `None` if it is not known.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "nginx" => Some(Self::Nginx),
            "haproxy" => Some(Self::Haproxy),
            "caddy" => Some(Self::Caddy),
            "apache" => Some(Self::Apache),
            "traefik" => Some(Self::Traefik),
            _ => None,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Apache => "Apache",
            Self::Traefik => "Traefik",
            Self::Unknown => "the proxy",
        }
    }

    /// Recognised by what an ordinary answer says about who passed it on.
    pub(super) fn of_answer(answer: &Answer) -> Option<Self> {
        let said = answer.lines("Server").chain(answer.lines("Via"));
        let said = said.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        let known = [
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("haproxy", Self::Haproxy),
            ("caddy", Self::Caddy),
            ("apache", Self::Apache),
            ("traefik", Self::Traefik),
        ];
        known.into_iter().find_map(|(word, proxy)| said.contains(word).then_some(proxy))
    }

    /// Recognised by how nonsense is refused: `HAProxy` names itself nowhere else.
    pub(super) fn of_refusal(answer: &Answer) -> Option<Self> {
        let haproxy = answer.text().contains("<h1>400 Bad request</h1>\nYour browser sent");
        Self::of_answer(answer).or_else(|| haproxy.then_some(Self::Haproxy))
    }

    /// The lines that mend `trouble`; `prefix` is the path that this proxy takes away.
    pub(super) fn remedy(self, trouble: Trouble, prefix: &str) -> Vec<String> {
        let lines: &[&str] = match self {
            Self::Nginx => nginx(trouble),
            Self::Haproxy => haproxy(trouble),
            Self::Caddy => caddy(trouble),
            Self::Apache => apache(trouble),
            Self::Traefik => traefik(trouble),
            Self::Unknown => anyone(trouble),
        };
        let prefix = if prefix.is_empty() { "\"\"" } else { prefix };
        lines.iter().map(|line| line.replace("{prefix}", prefix)).collect()
    }
}

const fn nginx(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => &["proxy_request_buffering off;", "proxy_http_version 1.1;"],
        Trouble::BodyLimit => &["client_max_body_size 0;"],
        Trouble::Forwarding => &[
            "proxy_set_header Host $http_host;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "proxy_set_header X-Forwarded-Host $http_host;",
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header X-Forwarded-Prefix {prefix};",
            "proxy_set_header Forwarded \"\";",
        ],
        Trouble::RequestFields => &[
            "# without proxy_pass_request_headers off, and proxy_set_header for the fields of uploads",
        ],
        Trouble::AnswerFields => &["# without proxy_hide_header for the fields of uploads"],
        Trouble::Methods => &["# without limit_except, and without `if ($request_method ..)`"],
        Trouble::Cors => &[
            "# without add_header Access-Control-.., and without `if ($request_method = OPTIONS)`",
        ],
        Trouble::Impatience => {
            &["client_body_timeout 75s;", "proxy_send_timeout 75s;", "proxy_read_timeout 75s;"]
        }
        Trouble::Window => &["http2_body_preread_size 1m;", "client_body_buffer_size 1m;"],
    }
}

const fn haproxy(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => &["no option http-buffer-request"],
        Trouble::BodyLimit => &["# without http-request deny if { req.body_size .. }"],
        Trouble::Forwarding => &[
            "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
            "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
            "http-request set-header X-Forwarded-For %[src]",
            "http-request set-header X-Forwarded-Prefix {prefix}",
            "http-request del-header Forwarded",
        ],
        Trouble::RequestFields => &["# without http-request del-header for the fields of uploads"],
        Trouble::AnswerFields => &["# without http-response del-header for the fields of uploads"],
        Trouble::Methods => &["# without http-request deny if { method .. }"],
        Trouble::Cors => {
            &["# without http-response set-header Access-Control-.., and http-request return"]
        }
        Trouble::Impatience => &["timeout client 75s", "timeout server 75s"],
        Trouble::Window => &["tune.h2.initial-window-size 1048576"],
    }
}

const fn caddy(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => &["# reverse_proxy without request_buffers and buffer_requests"],
        Trouble::BodyLimit => &["# without request_body { max_size .. }"],
        Trouble::Forwarding => &["header_up X-Forwarded-Prefix {prefix}", "header_up -Forwarded"],
        Trouble::RequestFields => &["# without header_up - for the fields of uploads"],
        Trouble::AnswerFields => &["# without header_down - for the fields of uploads"],
        Trouble::Methods => &["# reverse_proxy without a matcher for methods"],
        Trouble::Cors => &["# without header Access-Control-.., and respond for OPTIONS"],
        Trouble::Impatience => &["# in servers: timeouts { read_body 0 }"],
        Trouble::Window => &["# a newer Caddy: it lets clients send 1 MiB"],
    }
}

const fn apache(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => {
            &["SetEnv proxy-sendchunked 1", "# without SecRequestBodyAccess On, and mod_buffer"]
        }
        Trouble::BodyLimit => &["LimitRequestBody 0"],
        Trouble::Forwarding => &[
            "ProxyPreserveHost On",
            "ProxyAddHeaders Off",
            "RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}",
            "RequestHeader set X-Forwarded-Host expr=%{HTTP_HOST}",
            "RequestHeader set X-Forwarded-For expr=%{REMOTE_ADDR}",
            "RequestHeader set X-Forwarded-Prefix {prefix}",
            "RequestHeader unset Forwarded",
        ],
        Trouble::RequestFields => &["# without RequestHeader unset for the fields of uploads"],
        Trouble::AnswerFields => &["# without Header unset for the fields of uploads"],
        Trouble::Methods => &["# without <Limit>, <LimitExcept> and AllowMethods"],
        Trouble::Cors => &["# without Header set Access-Control-.., and RewriteRule for OPTIONS"],
        Trouble::Impatience => &["RequestReadTimeout body=0", "ProxyTimeout 75"],
        Trouble::Window => &["H2WindowSize 1048576"],
    }
}

const fn traefik(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => &["# the router without the middleware buffering"],
        Trouble::BodyLimit => &["# the middleware buffering without maxRequestBodyBytes"],
        Trouble::Forwarding => &[
            "entryPoints.<name>.forwardedHeaders.insecure = false",
            "middlewares.<name>.headers.customRequestHeaders.X-Forwarded-Prefix = {prefix}",
            "middlewares.<name>.headers.customRequestHeaders.Forwarded = \"\"",
        ],
        Trouble::RequestFields => &["# without customRequestHeaders for the fields of uploads"],
        Trouble::AnswerFields => &["# without customResponseHeaders for the fields of uploads"],
        Trouble::Methods => &["# the router's rule without Method()"],
        Trouble::Cors => &["# the middleware headers without accessControlAllow.."],
        Trouble::Impatience => {
            &["entryPoints.<name>.transport.respondingTimeouts.readTimeout = \"0s\""]
        }
        Trouble::Window => &["# uploads over HTTP/1.1: its window cannot be set"],
    }
}

const fn anyone(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Buffering => &["# pass bodies on as they arrive: no buffering of requests"],
        Trouble::BodyLimit => &["# no limit on the length of bodies: the gateway has its own"],
        Trouble::Forwarding => &[
            "# set X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For, whatever the client says;",
            "# X-Forwarded-Prefix: {prefix}; take Forwarded away",
        ],
        Trouble::RequestFields => &["# pass every field of requests on"],
        Trouble::AnswerFields => &["# pass every field of answers on"],
        Trouble::Methods => &["# let POST, PATCH, HEAD, DELETE, PUT, GET and OPTIONS pass"],
        Trouble::Cors => &["# leave OPTIONS and every Access-Control field to the gateway"],
        Trouble::Impatience => {
            &["# let clients pause for 75 s, and uploads last as long as they do"]
        }
        Trouble::Window => &["# let clients send at least 1 MiB per HTTP/2 stream"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &str) -> Answer {
        Answer::read(&mut bytes.as_bytes(), true).unwrap()
    }

    #[test]
    fn proxies_are_known_by_what_they_say_and_haproxy_by_its_refusal() {
        for (line, proxy) in [
            ("Server: nginx/1.22.1", Some(Proxy::Nginx)),
            ("Server: Apache/2.4.62 (Debian)", Some(Proxy::Apache)),
            ("Server: Caddy", Some(Proxy::Caddy)),
            ("Via: 1.1 Caddy", Some(Proxy::Caddy)),
            ("Server: something", None),
            ("X-Server: nginx", None),
        ] {
            let seen = Proxy::of_answer(&answer(&format!("HTTP/1.1 204 X\r\n{line}\r\n\r\n")));
            assert_eq!(seen, proxy, "{line}");
        }
        let page = "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n";
        let refusal = answer(&format!("HTTP/1.1 400 Bad request\r\n\r\n{page}"));
        assert_eq!(Proxy::of_refusal(&refusal), Some(Proxy::Haproxy));
        assert_eq!(Proxy::of_refusal(&answer("HTTP/1.1 400 Bad Request\r\n\r\n")), None);
    }

    #[test]
    fn what_is_recommended_stands_in_the_configurations_that_are_tested() {
        let files = [
            (Proxy::Nginx, include_str!("../../../config/proxies/nginx-prefix.conf")),
            (Proxy::Haproxy, include_str!("../../../config/proxies/haproxy-prefix.cfg")),
            (Proxy::Caddy, include_str!("../../../config/proxies/Caddyfile-prefix")),
        ];
        let troubles = [
            Trouble::Buffering,
            Trouble::BodyLimit,
            Trouble::Forwarding,
            Trouble::RequestFields,
            Trouble::AnswerFields,
            Trouble::Methods,
            Trouble::Cors,
            Trouble::Impatience,
            Trouble::Window,
        ];
        for (proxy, file) in files {
            let lines = troubles.iter().flat_map(|trouble| proxy.remedy(*trouble, "/up"));
            for line in lines.filter(|line| !line.starts_with('#')) {
                assert!(file.lines().any(|said| said.trim() == line), "{}: {line}", proxy.name());
            }
        }
    }

    #[test]
    fn the_prefix_is_put_where_it_belongs() {
        let lines = |prefix| Proxy::Nginx.remedy(Trouble::Forwarding, prefix).join("\n");
        assert!(lines("/up").contains("proxy_set_header X-Forwarded-Prefix /up;"));
        assert!(lines("").contains("proxy_set_header X-Forwarded-Prefix \"\";"));
    }
}
