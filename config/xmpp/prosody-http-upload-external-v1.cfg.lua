-- Prosody with the community module http_upload_external, by its older protocol: prefer v2, which
-- prosody-http-upload-external.cfg.lua has. This is what the module does if no protocol is set.
--
-- The module of Debian 12 (Prosody 0.12) does not answer a request over the limit at all, and hands out
-- slots of a negative size. Tidegate takes neither: it has a limit of its own, and a body has a length.

Component "upload.example.org" "http_upload_external"
    http_upload_external_base_url = "https://upload.example.org/upload/" -- with the slash at its end
    http_upload_external_secret = "change-this-upload-secret"
    http_upload_external_protocol = "v1" -- signs name and length only
    http_upload_external_file_size_limit = 1000000
