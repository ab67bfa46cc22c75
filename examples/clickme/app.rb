require "redis"
require "sinatra"

set :bind, "0.0.0.0"
set :port, 4567

redis = Redis.new(url: ENV.fetch("REDIS_URL"))

get "/" do
  erb :page, locals: { clicks: redis.get("clicks").to_i }
end

post "/click" do
  redis.incr("clicks")
  redirect "/"
end
