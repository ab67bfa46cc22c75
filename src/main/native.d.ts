declare module "*/thimble-init" {
  const path: string;
  export default path;
}
declare module "*.node" {
  const path: string;
  export default path;
}
