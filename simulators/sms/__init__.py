"""A provider of SMS and voice calls, simulated: the HTTP formats of Aliyun and Tencent Cloud."""
