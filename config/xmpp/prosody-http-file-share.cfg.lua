-- Prosody 0.12 or later with http_file_share in external mode: Prosody signs a token that says who
-- uploads what, for five or ten minutes, and applies its own daily quota.

Component "upload.example.org" "http_file_share"
    http_file_share_base_url = "https://upload.example.org/upload/" -- with the slash at its end
    http_file_share_secret = "change-this-upload-secret"
    http_file_share_size_limit = 1000000
    http_file_share_expires_after = 7 * 86400
